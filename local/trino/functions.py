"""The functions of Trino, as Athena has them: those that the laptop translates, tested, and the others."""

from __future__ import annotations

from typing import Final

TRANSLATED: Final = frozenset(
    """
    any_value approx_distinct approx_percentile arbitrary array_agg avg bool_and bool_or corr count count_if covar_pop
    covar_samp every grouping listagg max max_by min min_by regr_intercept regr_slope stddev stddev_pop stddev_samp sum
    var_pop var_samp variance
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    cast coalesce greatest if least nullif try try_cast
    chr concat concat_ws length levenshtein_distance lower lpad ltrim md5 position regexp_extract regexp_extract_all
    regexp_like regexp_replace replace reverse rpad rtrim split split_part starts_with strpos substr substring to_hex
    to_utf8 translate trim upper
    at_timezone current_date current_timestamp date date_add date_diff date_format date_parse date_trunc day
    day_of_month day_of_week day_of_year dow doy extract from_iso8601_date from_iso8601_timestamp from_unixtime hour
    last_day_of_month localtimestamp millisecond minute month now quarter second to_unixtime week week_of_year year
    year_of_week yow
    abs acos asin atan atan2 bitwise_and bitwise_or bitwise_xor cbrt ceil ceiling cos degrees exp floor is_nan ln log
    log10 log2 mod pi pow power radians rand random round sign sin sqrt tan truncate
    array array_distinct array_join array_max array_min array_position array_sort cardinality contains element_at filter
    flatten map map_keys map_values row sequence transform unnest
    json_array_length json_extract json_extract_scalar json_format json_parse
    """.split()
)
_OTHERS: Final = frozenset(
    """
    all_match any_match approx_most_frequent approx_set array_except array_first array_histogram array_intersect
    array_last array_remove array_union arrays_overlap bar beta_cdf bing_tile bit_count bitwise_and_agg
    bitwise_left_shift bitwise_not bitwise_or_agg bitwise_right_shift bitwise_xor_agg char2hexint checksum codepoint
    color combinations convex_hull_agg cosh cosine_similarity crc32 current_groups current_timezone date_format
    empty_approx_set entropy evaluate_classifier_predictions features format format_datetime format_number from_base
    from_base32 from_base64 from_base64url from_big_endian_32 from_big_endian_64 from_hex from_ieee754_32
    from_ieee754_64 from_iso8601_timestamp_nanos from_unixtime_nanos from_utf8 geometric_mean hamming_distance
    hash_counts histogram hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 human_readable_seconds index infinity
    intersection_cardinality inverse_beta_cdf inverse_normal_cdf is_finite is_infinite is_json_scalar jaccard_index
    json_array json_array_contains json_array_get json_exists json_object json_query json_size json_value kurtosis
    learn_classifier learn_regressor learn_libsvm_classifier line_string luhn_check make_set_digest map_agg map_concat
    map_entries map_filter map_from_entries map_union map_zip_with merge merge_set_digest multimap_agg
    multimap_from_entries murmur3 nan ngrams none_match normal_cdf normalize numeric_histogram parse_data_size
    parse_datetime parse_duration parse_presto_data_size qdigest_agg reduce reduce_agg regexp_count regexp_position
    regexp_split regr_avgx regr_avgy regr_count regr_r2 regr_sxx regr_sxy regr_syy render repeat sha1 sha256 sha512
    shuffle simplify_geometry sinh skewness slice soundex split_to_map split_to_multimap spooky_hash_v2_32
    spooky_hash_v2_64 st_area st_asbinary st_astext st_boundary st_buffer st_centroid st_contains st_convexhull
    st_distance st_geometryfromtext st_intersection st_intersects st_length st_point st_polygon st_union st_within st_x
    st_y tanh tdigest_agg timezone_hour timezone_minute to_base to_base32 to_base64 to_base64url to_big_endian_32
    to_big_endian_64 to_geometry to_ieee754_32 to_ieee754_64 to_iso8601 to_milliseconds transform_keys transform_values
    trim_array typeof url_decode url_encode url_extract_fragment url_extract_host url_extract_parameter
    url_extract_path url_extract_port url_extract_protocol url_extract_query uuid value_at_quantile
    values_at_quantiles version width_bucket wilson_interval_lower wilson_interval_upper with_timezone word_stem
    xxhash64 zip zip_with
    """.split()
)
TRINO: Final = TRANSLATED | _OTHERS

# What may stand before a parenthesis without being a function.
KEYWORDS: Final = frozenset(
    """
    all and any as between by case char cross cube decimal distinct else end escape except exists fetch filter first
    following from full group having in inner intersect interval is join lateral left like limit natural not numeric
    offset on or order outer over partition preceding range recursive right rollup rows select sets some tablesample
    bernoulli system then time timestamp union using values varbinary varchar when where window with within
    """.split()
)
