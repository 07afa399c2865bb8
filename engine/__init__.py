"""The engine computes: data, methods, training, analysis, the store and the processes that run them.

It never imports `app`, streamlit or plotly. Importing this package imports neither torch nor scikit-learn.
"""
