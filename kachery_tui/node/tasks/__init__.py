"""Tasks: functions that nodes compute for each other."""
