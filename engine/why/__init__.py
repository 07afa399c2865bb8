"""Why a row of a comparison decides as it does, and for whom: one question a file. Plain arrays in, numbers with intervals out.

`columns` maps a table's columns to the features of a task. `fits` holds the fitted replicates that questions are asked of.
"""
