"""One installation for the stories, as the end-to-end tests have one."""

from tests.e2e.conftest import household as household
