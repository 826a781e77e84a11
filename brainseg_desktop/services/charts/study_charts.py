"""The charts of a study, each of one region of a `StudyReport`."""

from brainseg_desktop.services.charts.heat_map import heat_map
from brainseg_desktop.services.charts.swarms import box_and_swarm, consensus_swarm
from brainseg_desktop.services.charts.volume_charts import bland_altman_chart, volume_scatter

__all__ = ["bland_altman_chart", "box_and_swarm", "consensus_swarm", "heat_map", "volume_scatter"]
