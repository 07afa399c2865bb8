"""Pictures as plotly figures. They know no Streamlit.

Each file has the same three functions: `figure` makes the picture, `table` the numbers behind it as a data frame, and `alt`
says in words what the picture shows, for readers who cannot see it.
"""
