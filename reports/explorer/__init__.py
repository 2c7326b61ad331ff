"""The interactive part of the page: Python makes its data; its style and its script are files of this folder."""
