-- MetricFlow's time spine. Local days, as the facts have.
{{ config(materialized='table') }}

select calendar.date as date_day, calendar.*
from {{ source('smartassist', 'calendar') }} as calendar
