"""Changing one value of a configuration: comments, order and formatting around it stay as the user wrote them."""
