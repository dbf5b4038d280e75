"""Error of rendered patches over the steps: its lines, and those of guesses."""

import torch

from lightning_modules.pictures.patch_error_curve import GUESSES, patch_error_curve


def test_lines_are_the_errors_and_two_guesses() -> None:
    torch.manual_seed(0)
    names = ["patch_error", "patch_error_unseen", *GUESSES]
    curves = {name: torch.rand(6) + place for place, name in enumerate(names)}
    share = {"context_share": torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])}
    figure = patch_error_curve(curves | share, "Title", "Subtitle", "#D55E00")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    drawn = [torch.tensor(line.get_ydata()) for line in lines.values()]
    assert all(torch.equal(*pair) for pair in zip(drawn, curves.values(), strict=True))
    assert [*lines] == [
        "all patches",
        "patches that no context shows",
        "mean face, place known",
        "mean canvas",
    ]
    assert {line.get_linestyle() for line in lines.values()} == {"-", "-.", "--", ":"}
    assert figure.axes[0].get_ylim()[0] == 0
    assert figure.axes[0].get_xticks().tolist() == [1, 2, 3, 4, 5, 6]
    figure.draw_without_rendering()
