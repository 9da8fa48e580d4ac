"""What share of a session's runs may be bad before the session is: part of the protocol, and of each record."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Tolerated(BaseModel):
    """Shares of a variant's runs in one session, 0 to 1, `wrong` to 0.5. What is tolerated is left out of every figure, and its count is printed.

    `wrong`: the golden failed, or another delegate executed. `throttled`: the device reported a thermal status. `poor`: anything else that
    makes a run no measurement or a weak one. One of five rounds may be poor: the test for a steady series alone errs once in a hundred.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    wrong: float = Field(default=0.0, ge=0, lt=0.5)
    """The share of runs with a wrong output or on another delegate, less than half: what is wrong as often as right is wrong."""
    throttled: float = Field(default=0.0, ge=0, lt=1)
    """The share of runs during which the device was throttled."""
    poor: float = Field(default=0.2, ge=0, lt=1)
    """The share of runs that are no measurement, or a weak one, for any other reason."""
