{# Tests that dbt itself lacks; sources.yml uses them. #}

{% test unique_together(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{% test between(model, column_name, low, high) %}
{% set bounds = [] %}
{% for bound in (low, high) %}
  {% if 'T' in bound %}
    {% do bounds.append("timestamp '" ~ bound[:19] | replace('T', ' ') ~ "'") %}
  {% elif '-' in bound %}
    {% do bounds.append("date '" ~ bound ~ "'") %}
  {% else %}
    {% do bounds.append(bound) %}
  {% endif %}
{% endfor %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} not between {{ bounds[0] }} and {{ bounds[1] }}
{% endtest %}

{% test list_relationships(model, column_name, to, field) %}
select element
from {{ model }}
cross join unnest({{ column_name }}) as elements (element)
where element not in (select {{ field }} from {{ to }})
{% endtest %}
