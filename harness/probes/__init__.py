"""What is read from a device's own words: pure functions from a command's output to readings.

None of them raises, and none returns a number for something that could not be read: a value that is missing, is one of the
sentinels that drivers report for an absent sensor, or is outside what the quantity can be, is null with the reason.
"""
