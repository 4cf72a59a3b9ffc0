"""Columns that hold personal data, found by their names and by what is in them."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Mapping

import duckdb

from precmark.contract.reading import Staged, quoted
from precmark.errors import Problem

SAMPLE_ROWS = 20_000
"""Rows of each text column looked into, from the start, the middle and the end of the table."""

_WORDS = {
    "an e-mail address": (
        "email mail emails mailaddress emailaddress correo courriel epost eposta posta pochta "
        "邮箱 电子邮件 邮件 メール 이메일 почта"
    ),
    "a phone number": (
        "phone telephone phonenumber tel telefon telefono telefone telefoon fax handy handynummer "
        "mobilenumber mobileno cellphone cell msisdn whatsapp movil celular mobiltelefon "
        "电话 手机 手机号 電話 전화 телефон"
    ),
    "an address": (
        "address addr street streetaddress adresse anschrift strasse direccion indirizzo endereco "
        "adres calle rue postcode postalcode zip zipcode plz postleitzahl codepostal cap cep "
        "地址 住址 住所 주소 адрес"
    ),
    "an IP address": "ip ipaddress ipaddr ipv4 ipv6 clientip remoteaddr userip remoteip",
    "a name": (
        "firstname lastname surname fullname familyname givenname middlename maidenname username "
        "nickname forename vorname nachname familienname prenom apellido apellidos cognome "
        "sobrenome voornaam achternaam imie nazwisko 姓名 名字 名前 氏名 이름 имя фамилия"
    ),
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_BARE_NAMES = frozenset(["name", "names", "nom", "nombre", "nome", "naam"])
_PEOPLE = frozenset(
    ["first", "last", "full", "given", "family", "middle", "user", "customer", "client", "display",
     "nick", "real", "contact", "buyer", "member", "person", "holder", "billing", "shipping",
     "recipient", "subscriber", "visitor", "kunde", "kunden", "cliente"]
)  # fmt: skip
_EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
_OCTET = r"(25[0-5]|2[0-4]\d|1?\d?\d)"
_IP = rf"({_OCTET}(\.{_OCTET}){{3}}|([0-9A-Fa-f]{{1,4}}:){{4,7}}[0-9A-Fa-f]{{1,4}})"
_PHONE = (
    r"(\+\d{1,3}[ .-]?(\(0\))?(\d[ ./-]?){7,12}|\(\d{2,5}\)[ ]?\d{3,4}[ -]?\d{3,5}|"
    r"\d{3}[-. ]\d{3}[-. ]\d{4}|0\d{2,4}[ /]\d{3,4}[ ]?\d{3,4})"
)


def kind_of_name(column: str, table: str = "events") -> str | None:
    """What personal data a column called `column` holds, or None.

    Examples
    --------
    >>> kind_of_name("customerEmail"), kind_of_name("Vorname"), kind_of_name("product_name")
    ('an e-mail address', 'a name', None)
    """
    plain = unicodedata.normalize("NFKD", column).replace("ß", "ss")
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    tokens = [t for t in re.split(r"[\W_]+", plain.lower()) if t]
    pairs = [a + b for a, b in itertools.pairwise(tokens)]
    for word in ("".join(tokens), *pairs, *tokens):
        if word in _KINDS:
            return _KINDS[word]
    bare = _BARE_NAMES.intersection(tokens)
    if bare and (_PEOPLE.intersection(tokens) or (len(tokens) == 1 and table != "items")):
        return "a name"
    return None


def find(
    connection: duckdb.DuckDBPyConnection, staged: Staged, mapped: Mapping[str, str]
) -> dict[str, str]:
    """The columns of `staged` with personal data, and what each holds.

    Parameters
    ----------
    mapped : mapping
        Contract column to the file's column. The column read as ``user_id`` is never named here,
        as only its keyed hash is kept; columns read as another contract column are judged by
        their content alone.
    """
    user = mapped.get("user_id")
    kept = set(mapped.values())
    found = {}
    for column, type_ in staged.columns.items():
        kind = kind_of_name(column, staged.table)
        if kind and column not in kept and type_ != "BOOLEAN":
            found[column] = kind
    texts = [
        c for c, type_ in staged.columns.items()
        if type_ == "VARCHAR" and c != user and c not in found
        and c not in (mapped.get("timestamp"), mapped.get("event"))
    ]  # fmt: skip
    return found | _by_content(connection, staged, texts)


def _by_content(
    connection: duckdb.DuckDBPyConnection, staged: Staged, columns: list[str]
) -> dict[str, str]:
    if not columns:
        return {}
    counts = ", ".join(
        f"count(nullif({c}, '')), count_if(contains({c}, '@') AND regexp_matches({c}, $email)), "
        f"count_if(regexp_full_match(trim({c}), $ip)), "
        f"count_if(regexp_full_match(trim({c}), $phone))"
        for c in map(quoted, columns)
    )
    third = SAMPLE_ROWS // 3
    middle = staged.rows // 2
    row = connection.execute(
        f"SELECT {counts} FROM {staged.view} WHERE __row <= {third} "
        f"OR __row BETWEEN {middle} AND {middle + third} OR __row > {staged.rows - third}",
        {"email": _EMAIL, "ip": _IP, "phone": _PHONE},
    ).fetchone()
    found = {}
    for i, column in enumerate(columns):
        filled, emails, ips, phones = row[4 * i : 4 * i + 4]
        # One e-mail in free text is personal already; one dotted version number is no address.
        if emails:
            found[column] = "e-mail addresses"
        elif filled and ips >= 0.5 * filled:
            found[column] = "IP addresses"
        elif filled and phones >= 0.5 * filled:
            found[column] = "phone numbers"
    return found


def problems(staged: Staged, found: Mapping[str, str]) -> list[Problem]:
    """One problem for each personal column of :func:`find`; never with a value of it."""
    return [
        Problem(
            f"{staged.table}: column {column!r} looks like personal data ({kind})",
            "Take it out of the file, or leave it out here with --drop-personal.",
        )
        for column, kind in found.items()
    ]
