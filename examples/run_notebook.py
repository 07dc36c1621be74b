"""Run explore.ipynb without a browser: its pictures are then in a copy, by default beside the exported files."""

import sys
from pathlib import Path

import lake
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent


def main(target: Path) -> None:
    """Execute the notebook; a sentence that it ends with is all that is shown of a failure."""
    notebook = nbformat.read(HERE / "explore.ipynb", as_version=4)
    folder = {"metadata": {"path": str(HERE)}}
    client = NotebookClient(notebook, kernel_name="python3", timeout=600, resources=folder)
    try:
        client.execute()
    except CellExecutionError as error:
        raise SystemExit(error.evalue if error.ename == "SystemExit" else str(error)) from None
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times, which would be new in each run
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    print(f"{sum('image/png' in output.get('data', {}) for output in outputs)} pictures are in {target}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else lake.EXPORT / "explore.ipynb")
