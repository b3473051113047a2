{% test smartassist_is_zero(model, column_name) %}
select {{ column_name }}
from {{ model }}
where {{ column_name }} <> 0
{% endtest %}
