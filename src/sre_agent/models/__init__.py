"""Language models as reasoners: one module for each provider, and agents that use the tools. `reasoners` judges their claims."""
