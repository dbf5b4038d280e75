"""``reproduce``: claims of the papers, trained, judged and written down."""
