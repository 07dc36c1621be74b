{# Stops with a sentence if there is no export, or one that another version of the lake wrote, or no data. #}
{% macro check_the_lake() %}
{% if execute and target.type == 'duckdb' %}
  {% set again = 'Run `./lake export --tables`, with `--laptop` for the lake on this laptop, then dbt again.' %}
  {% for source in graph.sources.values() %}
    {% set path = source.config.meta.external_location | replace('{name}', source.name) %}
    {% if not run_query("select * from glob('" ~ path ~ "')").rows %}
      {% do exceptions.raise_compiler_error('There is no file ' ~ path ~ '. ' ~ again) %}
    {% endif %}
    {% set found = run_query("select column_name from (describe from read_parquet('" ~ path ~ "'))").columns[0].values() %}
    {% for column in source.columns if column not in found %}
      {% do exceptions.raise_compiler_error(path ~ ' is from another version of the lake: it has no column ' ~ column ~ '. ' ~ again) %}
    {% endfor %}
    {% for column in found if column not in source.columns %}
      {% do exceptions.raise_compiler_error(path ~ ' is from another version of the lake: no source has its column ' ~ column ~ '. ' ~ again) %}
    {% endfor %}
    {% if source.name == 'playlists' and not run_query("select 1 from read_parquet('" ~ path ~ "') limit 1").rows %}
      {% do exceptions.raise_compiler_error('The lake had no snapshot when it was exported. Run `make demo`, or wait for the first daily run. ' ~ again) %}
    {% endif %}
  {% endfor %}
{% endif %}
{% endmacro %}
