"""What a user holds: frozen structs with exact numbers. Each field's unit stands in its class's docstring."""
