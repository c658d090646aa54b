"""Load config.yaml into models in AWS's terms, or report every fault in it at its line and column."""
