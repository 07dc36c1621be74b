select song_id
from {{ ref('dim_song') }}
group by song_id
having count_if(is_current) <> 1
