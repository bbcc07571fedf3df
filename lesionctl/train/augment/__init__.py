"""Random variation of the training pictures: what another camera, hand or light would have changed."""
