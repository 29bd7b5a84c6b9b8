# Finds the C++ Actor Framework as Debian ships it (no CMake package there).
# Components: core, io, openssl. Targets: CAF::core, CAF::io, CAF::openssl.

find_path(CAF_INCLUDE_DIR caf/actor_system.hpp)
if(CAF_INCLUDE_DIR)
  file(STRINGS ${CAF_INCLUDE_DIR}/caf/config.hpp CAF_VERSION_LINE
       REGEX "define CAF_VERSION ")
  if(CAF_VERSION_LINE MATCHES "CAF_VERSION ([0-9]+)")
    math(EXPR CAF_MAJOR "${CMAKE_MATCH_1} / 10000")
    math(EXPR CAF_MINOR "${CMAKE_MATCH_1} / 100 % 100")
    math(EXPR CAF_PATCH "${CMAKE_MATCH_1} % 100")
    set(CAF_VERSION ${CAF_MAJOR}.${CAF_MINOR}.${CAF_PATCH})
  endif()
endif()

foreach(component ${CAF_FIND_COMPONENTS})
  find_library(CAF_${component}_LIBRARY caf_${component})
  if(CAF_${component}_LIBRARY AND CAF_INCLUDE_DIR)
    set(CAF_${component}_FOUND TRUE)
    if(NOT TARGET CAF::${component})
      add_library(CAF::${component} UNKNOWN IMPORTED)
      set_target_properties(CAF::${component} PROPERTIES
        IMPORTED_LOCATION ${CAF_${component}_LIBRARY}
        INTERFACE_INCLUDE_DIRECTORIES ${CAF_INCLUDE_DIR})
    endif()
  endif()
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CAF REQUIRED_VARS CAF_INCLUDE_DIR
                                  VERSION_VAR CAF_VERSION HANDLE_COMPONENTS)
