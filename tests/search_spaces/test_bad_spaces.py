"""Search spaces that can't be used: each is refused in one line that names file, key, what was given and allowed."""

from pathlib import Path

import pytest

from search_spaces.space import SpaceError
from search_spaces.space_file import load_space

GOOD = """\
family: ebgan_pt
axes:
  n_layer_g: [2, 3]
  lr: [1e-2, 1e-3]
fixed:
  n_layer_d: 2
  size_g: 16
  size_d: 16
  dropout_d: false
  optim_g: adam
  optim_d: adam
  margin: 10
  pt_weight: 0.1
training:
  steps: 5
  batch_size: 16
"""

LR, SIZE, BATCH = "lr: [1e-2, 1e-3]", "size_g: 16", "batch_size: 16\n"
BAD = {
    "unknown axis": ("n_layer_g", "n_layers_g", "axes.n_layers_g: unknown key", "(did you mean n_layer_g?)"),
    "unknown fixed axis": ("dropout_d", "dropoutD", "fixed.dropoutD: unknown key", "(did you mean dropout_d?)"),
    "unknown key": ("training:", "trainig:", "trainig: unknown key", "(did you mean training?)"),
    "unknown setting": ("batch_size", "batchsize", "training.batchsize: unknown key", "(did you mean batch_size?)"),
    "unknown family": ("ebgan_pt", "wgan", "family: got 'wgan'", "allowed: 'gan', 'ebgan' or 'ebgan_pt'"),
    "no family": ("family: ebgan_pt\n", "", "family: missing", "required: family, axes, training"),
    "no training setting": ("  steps: 5\n", "", "training.steps: missing", "required: steps, batch_size"),
    "empty axis": (LR, "lr: []", "axes.lr: got []", "allowed: a list of 1 or more"),
    "axis that is no list": (LR, "lr: 0.5", "axes.lr: got 0.5", "allowed: list"),
    "axis that is a mapping": (LR, "lr: {a: 1}", "axes.lr: got {'a': 1}", "allowed: list"),
    "list under fixed": (SIZE, "size_g: [16]", "fixed.size_g: got [16]", "allowed: integer"),
    "axis without a value": (LR, "lr:", "axes.lr: missing", "allowed: a list of values (or one value under fixed)"),
    "missing axis": (f"  {SIZE}\n", "", "axes.size_g: missing", "allowed: a list of values"),
    "axis given twice": (SIZE, f"{SIZE}\n  lr: 0.1", "axes.lr: got [0.01, 0.001], and 0.1 under fixed", "one of the"),
    "width 0": (SIZE, "size_g: 0", "fixed.size_g: got 0", "allowed: greater than or equal to 1"),
    "negative width": (SIZE, "size_g: -16", "fixed.size_g: got -16", "allowed: greater than or equal to 1"),
    "width that is a bool": (SIZE, "size_g: true", "fixed.size_g: got True", "allowed: integer"),
    "width that is a float": (SIZE, "size_g: 16.0", "fixed.size_g: got 16.0", "allowed: integer"),
    "width that is text": (SIZE, "size_g: '16'", "fixed.size_g: got '16'", "allowed: integer"),
    "huge width": (SIZE, "size_g: " + "9" * 30, "fixed.size_g: got 999999", "allowed: less than or equal to 65536"),
    "width of 5000 digits": (SIZE, "size_g: " + "9" * 5000, "not valid YAML", "4300 digits"),
    "one layer": ("[2, 3]", "[1, 2]", "axes.n_layer_g[0]: got 1", "allowed: greater than or equal to 2"),
    "negative rate": (LR, "lr: [1e-2, -1e-3]", "axes.lr[1]: got -0.001", "allowed: greater than 0"),
    "rate 0": (LR, "lr: [0]", "axes.lr[0]: got 0", "allowed: greater than 0"),
    "rate nan": (LR, "lr: [.nan]", "axes.lr[0]: got nan", "allowed: a finite number"),
    "rate inf": (LR, "lr: [.inf]", "axes.lr[0]: got inf", "allowed: a finite number"),
    "rate that overflows": (LR, "lr: [1e400]", "axes.lr[0]: got inf", "allowed: a finite number"),
    "rate of 400 digits": (LR, f"lr: [{'9' * 400}]", "axes.lr[0]: got 999", "allowed: number"),
    "rate that is a bool": (LR, "lr: [true]", "axes.lr[0]: got True", "allowed: number"),
    "scored at no step": (BATCH, f"{BATCH}scoring: {{at: []}}", "scoring.at: got []", "allowed: a list of 1 or more"),
    "scored at step 0": (BATCH, f"{BATCH}scoring: {{at: [0, 5]}}", "scoring.at[0]: got 0", "or equal to 1"),
    "not scored at the end": (BATCH, f"{BATCH}scoring: {{at: [1, 4]}}", "scoring.at: got [1, 4]", "training.steps, 5"),
    "scored after the end": (BATCH, f"{BATCH}scoring: {{at: [5, 6]}}", "scoring.at: got [5, 6]", "training.steps, 5"),
    "scored backwards": (BATCH, f"{BATCH}scoring: {{at: [3, 2, 5]}}", "scoring.at: got [3, 2, 5]", "rising steps"),
    "scored twice": (BATCH, f"{BATCH}scoring: {{at: [5, 5]}}", "scoring.at: got [5, 5]", "rising steps"),
    "scored in two ways": (
        BATCH,
        f"{BATCH}scoring: {{at: [5], times: 1}}",
        "scoring.at: got [5]",
        "one of at and times",
    ),
    "norm of another family": (SIZE, f"{SIZE}\n  norm_d: joint", "fixed.norm_d: got 'joint'", "for family ebgan_pt: "),
    "rate that is quoted": (LR, 'lr: ["1e-3"]', "axes.lr[0]: got '1e-3'", "allowed: number"),
    "list in a list": (LR, "lr: [[1e-3]]", "axes.lr[0]: got [0.001]", "allowed: number"),
    "unknown optimiser": ("optim_g: adam", "optim_g: rmsprop", "fixed.optim_g: got 'rmsprop'", "'adam' or 'sgd'"),
    "dropout that is a number": ("dropout_d: false", "dropout_d: 0", "fixed.dropout_d: got 0", "allowed: boolean"),
    "same width twice": ("[2, 3]", "[2, 2]", "axes.n_layer_g: duplicate cells: got 2 twice", "allowed: once"),
    "same rate twice": (LR, "lr: [0.001, 1e-3]", "axes.lr: duplicate cells: got 0.001 twice", "allowed: once"),
    "same key twice": (LR, f"{LR}\n  lr: [1e-4]", "not valid YAML", "key lr is given twice"),
    "merge key": (LR, "<<: {lr: [1e-4]}", "not valid YAML: <<: merge keys are not allowed", "line 4"),
    "margin of a gan": ("ebgan_pt", "gan", "fixed.margin: got 10.0", "allowed for family gan: n_layer_g,"),
    "pull-away of a plain ebgan": ("ebgan_pt", "ebgan", "fixed.pt_weight: got 0.1", "allowed for family ebgan: n_"),
    "ebgan without a margin": ("  margin: 10\n", "", "axes.margin: missing", "allowed: a list of values"),
    "0 steps": ("steps: 5", "steps: 0", "training.steps: got 0", "allowed: greater than or equal to 1"),
    "huge steps": ("steps: 5", "steps: 99999999999999999999", "training.steps: got 99999999", "less than 2147483648"),
    "one beta": ("steps: 5", "betas: [0.5]\n  steps: 5", "training.betas: got [0.5]", "allowed: a list of 2 or more"),
    "beta 1": ("steps: 5", "betas: [0.5, 1]\n  steps: 5", "training.betas[1]: got 1", "allowed: less than 1"),
    "sample number": (
        "training:",
        "scoring: {n_samples: 7}\ntraining:",
        "scoring.n_samples: got 7",
        "multiple of 500",
    ),
    "axes that are a list": ("axes:\n  n_layer_g: [2, 3]\n  lr: [1e-2, 1e-3]", "axes: [1]", "axes: got [1]", "mapping"),
    "key that is a number": ("family:", "3: 4\nfamily:", "[3]: got 3", "allowed: keys that are text"),
    "syntax error": (LR, "lr: [1e-2", "not valid YAML", "line "),
    "tabs": ("  lr", "\tlr", "not valid YAML", "line 4"),
    "impossible date": (LR, "lr: [2020-13-45]", "not valid YAML", "month"),
    "two documents": ("training:", "---\ntraining:", "not valid YAML", "another document"),
    "unknown tag": (LR, "lr: !rates [1e-2]", "not valid YAML", "!rates"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "space.yaml"


def refusal(name: str) -> str:
    with pytest.raises(SpaceError) as caught:
        load_space(name)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_the_pattern_of_these_tests_is_a_good_space(file: Path) -> None:
    file.write_text(GOOD)
    assert len(list(load_space(str(file)).trials())) == 4
    assert all(GOOD.count(old) == 1 for old, *_ in BAD.values() if old not in ("ebgan_pt", "n_layer_g"))


@pytest.mark.parametrize(("old", "new", "given", "allowed"), BAD.values(), ids=BAD.keys())
def test_bad_value_is_named_in_one_line(file: Path, old: str, new: str, given: str, allowed: str) -> None:
    file.write_text(GOOD.replace(old, new))
    message = refusal(str(file))
    assert message.startswith(f"{file}: {given}")
    assert allowed in message.removeprefix(f"{file}: {given}")


BOMB = ", ".join(["&a0 [x]", *(f"&a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12))])

# 10 ** 9 keys, if they were expanded.
MERGES = "\n".join(
    ["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10))]
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "got None, allowed: a mapping with the keys family, axes, training"),
        (b"- family\n- axes\n", "got ['family', 'axes'], allowed: a mapping with the keys family, axes, training"),
        (b"gan\n", "got 'gan', allowed: a mapping with the keys family, axes, training"),
        (GOOD.encode() + b"# \xff\n", "can't be read: 'utf-8' codec can't decode byte 0xff"),
        (GOOD.encode("utf-16"), "can't be read: 'utf-8' codec can't decode byte 0xff"),
        (GOOD.encode() + b"# \x07\n", "not valid YAML: unacceptable character"),
        (b"[" * 5000, "not valid YAML: "),
        (MERGES.encode(), "not valid YAML: <<: merge keys are not allowed"),
        (GOOD.replace("axes:", "axes: !!map [lr]\nfixed:").encode(), "not valid YAML: "),
        (GOOD.replace("steps: ", "steps: 0x" + "F" * 6000 + " # ").encode(), "training.steps: got a number of 240"),
        (GOOD.replace("ebgan_pt", f"[{BOMB}]").encode(), "family: got [["),
    ],
    ids=[
        "empty",
        "list",
        "text",
        "not UTF-8",
        "UTF-16",
        "control character",
        "5000 brackets",
        "merges",
        "map",
        "hex",
        "bomb",
    ],
)
def test_bad_file_is_named_in_one_line(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    assert refusal(str(file)).startswith(f"{file}: {reason}")


def test_python_objects_are_refused_and_not_made(file: Path) -> None:
    trace = file.with_name("made")
    apply = f"!!python/object/apply:os.mkdir ['{trace}']"
    for tag in (apply, "!!python/name:os.system", "!!python/object:os.system {}"):
        file.write_text(GOOD.replace("[1e-2, 1e-3]", tag))
        assert "could not determine a constructor for the tag" in refusal(str(file))
    assert not trace.exists()


@pytest.mark.parametrize("name", ["missing.yaml", "paper/mnist_gann", "paper", "", "x" * 5000])
def test_missing_space_is_answered_with_those_there_are(name: str) -> None:
    message = refusal(name)
    assert message.startswith(f"{name}: no such search space, allowed: a YAML file or one of example/mnist_ebgan, ")
    assert message.endswith(", quick/mnist_gan_norm")


def test_a_folder_is_no_search_space(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)).startswith(f"{tmp_path}: no such search space")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E-3", 0.001),
        ("+1e-3", 0.001),
        ("1.e-3", 0.001),
        (".1e-2", 0.001),
        ("1e3", 1000.0),
        ("1", 1.0),
    ],
)
def test_scientific_notation_is_a_number(file: Path, text: str, value: float) -> None:
    file.write_text(GOOD.replace(LR, f"lr: [{text}]"))
    (lr,) = load_space(str(file)).axes["lr"]
    assert type(lr) is float
    assert lr == value


@pytest.mark.parametrize("text", ["-1e-3", "-1E-3", "-.1e-2"])
def test_a_negative_number_is_read_as_one(file: Path, text: str) -> None:
    file.write_text(GOOD.replace(LR, f"lr: [{text}]"))
    assert refusal(str(file)) == f"{file}: axes.lr[0]: got -0.001, allowed: greater than 0"
