select * from {{ source('smartassist', 'contacts') }}
