"""The interactive part of the page: its data from Python, its look and its script from the files beside this one."""
