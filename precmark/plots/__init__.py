"""The figures of each chapter: functions that return a figure and the table it draws."""
