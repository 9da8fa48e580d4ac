"""What the user asked for: builder.toml, data, model files, variants."""
