from hypothesis import given
from hypothesis import strategies as st

from machinery.model.quantity import canonical, parse
from tests.support.examples import examples

SUFFIXES = st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi"])
QUANTITIES = st.builds(lambda number, suffix: f"{number}{suffix}", st.integers(0, 8000), SUFFIXES)


@examples(100)
@given(QUANTITIES)
def test_the_canonical_form_loses_nothing(text):
    """It is the same amount, and its own canonical form."""
    assert parse(canonical(text)) == parse(text)
    assert canonical(canonical(text)) == canonical(text)


@examples(100)
@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_a_value_error(text):
    """Nothing else ever comes out."""
    try:
        parse(text)
    except ValueError:
        return
