"""The commands of `automl-nas` that do more than call one function; `automl_nas.cli` lists them."""
