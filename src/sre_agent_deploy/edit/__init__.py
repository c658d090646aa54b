"""Change one value of a configuration, and keep comments, order and formatting as the user wrote them."""
