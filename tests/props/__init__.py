"""Properties: the native engine held to the reference, the UPDATE decoder held to an independent codec."""

import pytest

# What differs is told where the engines are compared, not only where a test is.
pytest.register_assert_rewrite("tests.props.comparing", "tests.props.folding", "tests.props.pair", "tests.props.rows")
