"""What the shipped study measures: income before and after the programme."""

from __future__ import annotations

from sync.consolidate.indicator import Dimension, IndicatorSpec

INCOME = IndicatorSpec(
    form_id="wawancara",
    before=("income", "income_before"),
    after=("income", "income_after"),
    dimensions=(
        Dimension("aid", ("aid", "aid_types")),
        Dimension("credit_use", ("credit", "use", "purpose")),
    ),
    consent=(("opening", "consent"), "yes"),
)
