"""The embeddings gateway: dialects in, operations, providers and stores out, around one pure core."""
