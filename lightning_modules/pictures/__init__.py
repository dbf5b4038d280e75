"""Figures made from arrays; nothing here knows a model, a core or a benchmark."""
