"""The agents we know without being told, a file each in `agents`. Says what is special about each; runs nothing."""
