# The chapters as a graph. `precmark run` calls this; by hand or on a cluster:
#   snakemake --cores 2 --rerun-incomplete --config run=runs/sample
# papermill writes the notebook under way to the rule's log, which Snakemake keeps when a chapter
# fails, and the finished one is renamed to the output. A chapter is stale when its cells, a module
# that it imports, a file or a chapter that it reads, its parameters or the data have changed.
# What most chapters wait for runs first, so that no core is idle while the last ones follow on
# one another.
import sys
from pathlib import Path

from precmark.workflow import chapter_parameters, chapters_of, chapter_state, claims_inputs
from precmark.chapters import modules_of, registry, waiting_for

RUN = config["run"].rstrip("/")
CHAPTERS = chapters_of(RUN)


rule all:
    input:
        expand("{run}/chapters/{chapter}.ipynb", run=RUN, chapter=CHAPTERS),


for _chapter in CHAPTERS:

    rule:
        name:
            _chapter
        input:
            modules=[str(p) for p in modules_of(_chapter)],
            claims=claims_inputs(RUN, _chapter),
            files=[f for f in registry()[_chapter].reads if Path(f).exists()],
            chapters=[
                f"{RUN}/chapters/{n}.ipynb" for n in registry()[_chapter].needs if n in CHAPTERS
            ],
        output:
            f"{RUN}/chapters/{_chapter}.ipynb",
        priority:
            waiting_for(_chapter)
        log:
            f"{RUN}/logs/{_chapter}.ipynb",
        params:
            notebook=f"notebooks/{_chapter}.ipynb",
            parameters=chapter_parameters(RUN, _chapter),
            state=chapter_state(RUN, _chapter),
            python=sys.executable,
        shell:
            "{params.python} -m papermill {params.notebook} {log} -b {params.parameters} "
            "-k python3 --no-progress-bar > {log}.txt 2>&1 && mv {log} {output}"
