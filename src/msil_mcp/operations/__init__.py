"""What operators look at: the settings in force, and how everything depended on is doing."""
