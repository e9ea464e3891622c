"""The source of the module of vectors that all kernels of one kind of number share; and where templates come from."""

from functools import cache

import jinja2

from lstmlab.kernels import noise
from lstmlab.kernels.variant import Machine, Real


def vectors_source(real: Real, machine: Machine) -> str:
    """The module of vectors that the kernels of one kind of number share."""
    return template("vectors.py.jinja").render(
        real=real,
        lanes=machine.lanes(real),
        tile_rows=4,
        tile_vectors=machine.panel,
        widths=(4, 2, 1) if machine.panel == 4 else (2, 1),
        yields=machine.yields,
        x86=machine.x86,
        spread=noise.SPREAD,
        multipliers=noise.MULTIPLIERS,
        shifts=noise.SHIFTS,
    )


@cache
def template(name: str) -> jinja2.Template:
    """One of the templates that lie beside this file; what it is not given is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lstmlab", "kernels/templates"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)
