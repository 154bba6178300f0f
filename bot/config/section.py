"""What every table of the config has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the config: unknown keys are refused, values are not converted and do not change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )
