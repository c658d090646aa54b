"""Labelled cases of the Cloud-OpsBench layout: read, turned into recordings, and scored."""
