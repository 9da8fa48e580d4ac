"""Whole networks from papers, written anew and small, in the idioms of their field; `projects.py` makes a project of each."""
