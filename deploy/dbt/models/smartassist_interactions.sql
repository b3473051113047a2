select * from {{ source('smartassist', 'interactions') }}
