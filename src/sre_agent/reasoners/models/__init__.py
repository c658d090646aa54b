"""Language models as reasoners: one module for each provider, and agents that use the tools. `reasoners/claims.py` judges what they say."""
