"""Maps of feature space: PCA, t-SNE, UMAP."""
