"""Preparing: from folders of pictures and masks to a store that training and scoring read."""
