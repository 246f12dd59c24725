"""What crosses a wire: marshmallow in, marshmallow out."""
