from core.cut_text import cut


def test_a_text_says_where_it_was_cut() -> None:
    assert cut("x" * 50, 40) == "x" * 25 + " [... cut here]"
    assert cut("x" * 40, 40) == "x" * 40
