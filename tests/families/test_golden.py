"""Files as they were when a person last looked at them; LATCHKEY_GOLDEN=write renews them."""

import os
from pathlib import Path

import pytest

from devices.catalog import catalog
from provisioning.compiling import CompiledFile, compile_bootstrap, compile_full
from tests.families.samples import ENTRY, MAC, PRIVATE, ROOT, name_of, settings

GOLDEN = Path(__file__).parent / "golden"
MODELS = [
    ("yealink", "T20P"),
    ("yealink", "T38G"),
    ("yealink", "T23G"),
    ("yealink", "T46S"),
    ("yealink", "T54W"),
    ("yealink", "T77U"),
    ("yealink", "CP920"),
    ("yealink", "W60B"),
    ("poly", "SPIP550"),
    ("poly", "SSIP6000"),
    ("poly", "VVX150"),
    ("poly", "VVX450"),
    ("poly", "CCX500"),
    ("poly", "EdgeE450"),
    ("fanvil", "H2U-V2"),
    ("fanvil", "H5"),
    ("fanvil", "V62"),
    ("fanvil", "V67"),
    ("fanvil", "X1S"),
    ("fanvil", "X210"),
    ("fanvil", "X301"),
    ("fanvil", "X4"),
    ("fanvil", "X4U"),
    ("fanvil", "X5S"),
    ("fanvil", "X6U-Pro"),
    ("fanvil", "X7C"),
    ("fanvil", "i10SD"),
    ("fanvil", "i63"),
    ("cisco", "6851"),
    ("cisco", "7811"),
    ("cisco", "7841"),
    ("cisco", "7861"),
    ("cisco", "8841"),
    ("cisco", "8861"),
    ("cisco", "SPA303"),
    ("cisco", "SPA502G"),
    ("cisco", "SPA504G"),
    ("cisco", "SPA525G2"),
    ("cisco", "SPA942"),
    ("cisco", "SPA112"),
    ("cisco", "ATA191"),
    ("grandstream", "GXP1610"),
    ("grandstream", "GXP1628"),
    ("grandstream", "GXP1782"),
    ("grandstream", "GXP2130"),
    ("grandstream", "GXP2160"),
    ("grandstream", "GXP2170"),
    ("grandstream", "GRP2612"),
    ("grandstream", "GRP2614"),
    ("grandstream", "GRP2615"),
    ("grandstream", "GXV3240"),
    ("grandstream", "GXV3370"),
    ("grandstream", "HT801"),
    ("grandstream", "HT802V2"),
    ("snom", "300"),
    ("snom", "370"),
    ("snom", "720"),
    ("snom", "760"),
    ("snom", "D120"),
    ("snom", "D315"),
    ("snom", "D717"),
    ("snom", "D735"),
    ("snom", "D785"),
    ("snom", "D862"),
    ("snom", "M300"),
    ("snom", "M900"),
]


def _files(family: str, model: str) -> dict[str, CompiledFile]:
    vendor = catalog().families[family]
    found = {f"private/{name}": file for name, file in compile_full(settings(family, model), PRIVATE).items()}
    for rule in vendor.files:
        if rule.claims and vendor.models[model].generation not in rule.absent_in:
            name = name_of(rule, model)
            found[f"root/{name}"] = compile_bootstrap(family, model, MAC, name, ENTRY, ROOT)
        if rule.full_and_move:
            phone = settings(family, model)
            found[f"root over https/{name}"] = compile_bootstrap(
                family, model, MAC, name, PRIVATE, ROOT, phone, full=True
            )
    return found


@pytest.mark.parametrize(("family", "model"), MODELS)
def test_files_are_as_they_were(family, model):
    folder = GOLDEN / family / model
    files = _files(family, model)
    if os.environ.get("LATCHKEY_GOLDEN") == "write":
        for name, file in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(file.body)

    kept = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert kept == {name: file.body for name, file in files.items()}
