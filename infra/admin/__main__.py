"""`python -m infra.admin`, for those who have no `gateway` on their path."""

from infra.admin import main

main()
