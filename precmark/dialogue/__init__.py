"""The dialogue: what a customer's sentence asks for, and an answer that ends in products (Li)."""
