"""Other ways to the same deployment: the Console, by hand, and CloudFormation. Renderers; they decide nothing."""
