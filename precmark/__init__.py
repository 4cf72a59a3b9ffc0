"""precmark: an executable study of user profiles, churn prediction and targeted coupons."""

__version__ = "0.1.0"
