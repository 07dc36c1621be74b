"""The charts that the job knows; the tables' schema lists the same names."""

from typing import Final

# Title and period by name. A daily chart is dated by its day, a weekly one by the last day of its week.
CHARTS: Final = {
    "top200": ("Top 200", "daily"),
    "viral50": ("Viral 50", "daily"),
    "top50": ("Top 50", "daily"),
    "top200_weekly": ("Top 200", "weekly"),
    "viral50_weekly": ("Viral 50", "weekly"),
}
